import { installPackages } from './packages.ts';

const installed = await installPackages({ production: process.argv.includes('--production'), quiet: true });
process.exitCode = installed ? 0 : 1;
