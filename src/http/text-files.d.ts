/** Files that the bundler turns into text (`with { type: 'text' }`), so that they are inside the binary. */
declare module '*.css' {
  const text: string;
  export default text;
}
declare module '*.svg' {
  const text: string;
  export default text;
}
declare module '*.client.js' {
  const text: string;
  export default text;
}
