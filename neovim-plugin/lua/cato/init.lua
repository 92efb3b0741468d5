local M = {}

---For a statusline: `cato` when all is well, else `cato` and what is not.
---@param buffer? integer the current one by default
---@return string text empty where no language server is attached
function M.status(buffer)
  local client = require('cato.client').attached(buffer or 0)
  return client and require('cato.status').summary(client.id) or ''
end

---Accepts the suggestion that is shown; for a mapping with `expr = true`.
---@param fallback? string keys to type where there is none
---@return string keys
function M.accept(fallback)
  return require('cato.accept').accept() and '' or (fallback or '')
end

return M
