// Bundles the extension, or with --tests each test file, to the CommonJS that VS Code and Node load.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  metafile: true,
};

const tests = {
  ...common,
  entryPoints: readdirSync('tests').map((name) => `tests/${name}`),
  outdir: 'dist/tests',
};

/** The licenses of the packages whose code is in the bundle go where the bundle goes. */
function writeNotices(metafile) {
  const found = Object.keys(metafile.inputs).map((input) =>
    /^(.*node_modules\/(@[^/]+\/)?[^/]+)\//.exec(input),
  );
  const folders = new Set(found.filter(Boolean).map((match) => match[1]));
  const notices = [...folders].sort().map((folder) => {
    const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no license file`);
    return `${name} ${version}\n\n${readFileSync(`${folder}/${file}`, 'utf8').trim()}\n`;
  });
  writeFileSync('dist/NOTICES.txt', notices.join(`\n${'-'.repeat(80)}\n\n`));
}

if (flags.has('--tests')) {
  await esbuild.build(tests);
} else if (flags.has('--watch')) {
  await (await esbuild.context(extension)).watch();
} else {
  writeNotices((await esbuild.build(extension)).metafile);
}
