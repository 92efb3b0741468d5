// Bundles the extension, or with --tests each test file, to the CommonJS that VS Code and Node load.
import { readdirSync } from 'node:fs';
import * as esbuild from 'esbuild';

const flags = new Set(process.argv.slice(2));

const common = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  external: ['vscode'],
  logLevel: 'warning',
};

const extension = {
  ...common,
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.js',
  minify: flags.has('--production'),
  sourcemap: !flags.has('--production'),
};

const tests = {
  ...common,
  entryPoints: readdirSync('tests').map((name) => `tests/${name}`),
  outdir: 'dist/tests',
};

if (flags.has('--tests')) {
  await esbuild.build(tests);
} else if (flags.has('--watch')) {
  await (await esbuild.context(extension)).watch();
} else {
  await esbuild.build(extension);
}
