import tseslint from 'typescript-eslint';

// The test runner itself waits for what `test` returns.
const awaitedByTheRunner = [{ from: 'package', name: 'test', package: 'node:test' }];

export default tseslint.config(tseslint.configs.strictTypeChecked, {
  languageOptions: { parserOptions: { projectService: true } },
  rules: {
    '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    '@typescript-eslint/no-floating-promises': [
      'error',
      { allowForKnownSafeCalls: awaitedByTheRunner },
    ],
    '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
  },
});
