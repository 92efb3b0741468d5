local M = {}

---For a statusline: `cato` when all is well, else `cato` and what is not.
---@param buffer? integer the current one by default
---@return string text empty where no language server is attached
function M.status(buffer)
  local shown = buffer or vim.api.nvim_get_current_buf()
  local client = require('cato.client').attached(shown)
  return client and require('cato.status').summary(client, shown) or ''
end

---Accepts the suggestion that is shown; for a mapping with `expr = true`.
---@param fallback? string keys to type where there is none
---@param piece? cato.Piece only its next word or line; the rest stays on display
---@return string keys
function M.accept(fallback, piece)
  return require('cato.accept').accept(piece) and '' or (fallback or '')
end

---Shows the next candidate, or one further on; asks for more than one the first time.
---@param count? integer 1 by default; backwards where negative
function M.turn(count)
  require('cato.suggestion').turn(vim.api.nvim_get_current_buf(), count or 1)
end

return M
