-- What each language server last said about its backend.
local M = {}

---@class cato.Status
---@field state 'starting'|'ready'|'busy'|'unreachable'|'disabled'|'unauthorized'
---@field message string
---@field backendUrl? string
---@field latencyMs? number median of the last answers
---@field load? number 0 to 1
---@field acceptance? number 0 to 1, of what was shown since the server began
---@field tokensSaved? integer prompt tokens that did not have to be asked for since then
---@field logPath? string

---@type table<integer, cato.Status>
local latest = {}

---@param client_id integer
---@param status cato.Status
function M.changed(client_id, status)
  latest[client_id] = status
  vim.cmd.redrawstatus({ bang = true })
end

---@param client_id integer
---@return string
function M.summary(client_id)
  local state = latest[client_id] and latest[client_id].state or 'starting'
  return state == 'ready' and 'cato' or 'cato ' .. state
end

---@param value any JSON's null comes as nil or vim.NIL
---@param format fun(value: any): string
local function shown(value, format)
  if value == nil or value == vim.NIL or value == '' then
    return '-'
  end
  return format(value)
end

---@param share number
---@return string
local function percent(share)
  return ('%d %%'):format(share * 100)
end

---@param status cato.Status
---@return string[] lines for a person
function M.describe(status)
  return {
    'state    ' .. status.state,
    'message  ' .. shown(status.message, tostring),
    'backend  ' .. shown(status.backendUrl, tostring),
    'latency  ' .. shown(status.latencyMs, function(ms)
      return ('%d ms'):format(ms)
    end),
    'load     ' .. shown(status.load, percent),
    'accepted ' .. shown(status.acceptance, percent),
    'saved    ' .. shown(status.tokensSaved, function(tokens)
      return ('%d tokens'):format(tokens)
    end),
    'log      ' .. shown(status.logPath, tostring),
  }
end

return M
