-- Neovim's diagnostics as the language server takes them.
local M = {}

---@param diagnostic vim.Diagnostic
---@return lsp.Diagnostic
function M.to_lsp(diagnostic)
  local ends = { line = diagnostic.end_lnum or diagnostic.lnum, character = diagnostic.end_col or 0 }
  return {
    range = { start = { line = diagnostic.lnum, character = diagnostic.col }, ['end'] = ends },
    message = diagnostic.message,
    severity = diagnostic.severity,
    source = diagnostic.source,
  }
end

return M
