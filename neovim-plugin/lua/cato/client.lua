local M = {}

---@param buffer integer
---@return vim.lsp.Client? client the language server of this buffer
function M.attached(buffer)
  return vim.lsp.get_clients({ name = 'cato', bufnr = buffer })[1]
end

---@return vim.lsp.Client? client that of the current buffer, else any
function M.any()
  return M.attached(0) or vim.lsp.get_clients({ name = 'cato' })[1]
end

---Says that there is no language server, and where to look.
function M.missing()
  vim.notify('cato: no language server here, see :checkhealth cato', vim.log.levels.WARN)
end

return M
