"""Real VS Code, in a real browser: what the tests of `vscode-extension/` drive."""
