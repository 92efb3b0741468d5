local log_file = vim.fs.joinpath(vim.fn.stdpath('log'), 'cato-lsp.log')

---@type vim.lsp.Config
return {
  cmd = { 'cato-lsp', '--stdio', '--log-file', log_file },
  filetypes = {
    'bash',
    'c',
    'cpp',
    'cs',
    'css',
    'go',
    'html',
    'java',
    'javascript',
    'javascriptreact',
    'kotlin',
    'lua',
    'php',
    'python',
    'ruby',
    'rust',
    'scala',
    'sh',
    'swift',
    'typescript',
    'typescriptreact',
  },
  root_markers = { '.git' },
  get_language_id = function(_, filetype)
    return require('cato.languages').language_id(filetype)
  end,
  handlers = {
    ['cato/didChangeStatus'] = function(_, status, context)
      require('cato.status').changed(context.client_id, status)
    end,
    -- Pieces of a result are no progress reports: what listens to LspProgress expects a `kind`.
    ['$/progress'] = function(failure, params, context)
      if not require('cato.task').piece(params) then
        return vim.lsp.handlers['$/progress'](failure, params, context)
      end
    end,
  },
}
