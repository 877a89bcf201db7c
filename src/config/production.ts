/**
 * Imported before everything else by `main.ts`. Libraries answer with more than strangers should see (Elysia: the whole
 * input that failed validation) unless they find production mode when they are loaded. A compiled file is always in it;
 * from source a developer may say otherwise. The name is put together so that the bundler leaves it alone.
 */
const name = ['NODE', 'ENV'].join('_');
if (Bun.isStandaloneExecutable) Bun.env[name] = 'production';
else Bun.env[name] ??= 'production';
