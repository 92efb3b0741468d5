local log_file = vim.fs.joinpath(vim.fn.stdpath('log'), 'cato-lsp.log')

---@type vim.lsp.Config
return {
  cmd = { 'cato-lsp', '--stdio', '--log-file', log_file },
  filetypes = {
    'c',
    'cpp',
    'cs',
    'go',
    'java',
    'javascript',
    'javascriptreact',
    'php',
    'python',
    'ruby',
    'rust',
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
  on_attach = function(client, buffer)
    vim.lsp.inline_completion.enable(true, { bufnr = buffer })
    -- Who begins to insert wants a suggestion next: its prompt can be computed meanwhile.
    vim.api.nvim_create_autocmd({ 'BufEnter', 'InsertEnter' }, {
      buffer = buffer,
      group = vim.api.nvim_create_augroup('cato.focus.' .. buffer, {}),
      callback = function()
        local here = vim.lsp.util.make_position_params(0, client.offset_encoding)
        client:notify('textDocument/didFocus', here)
      end,
    })
  end,
}
