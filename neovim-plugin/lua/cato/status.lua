-- What each language server last said about its backend.
local M = {}

---@class cato.Status
---@field state 'starting'|'ready'|'busy'|'unreachable'|'disabled'|'unauthorized'
---@field message string
---@field backendUrl? string
---@field latencyMs? number median of the last answers
---@field load? number 0 to 1
---@field acceptance? number 0 to 1, of what was shown since the server began
---@field acceptedCharacters? integer characters of suggestions that were accepted since then
---@field model? string which one answers
---@field modelParameters? integer how large it is
---@field modelAdvice? string how to get a better one
---@field lastRequestId? string of the latest completion: what `cato why` asks for
---@field logPath? string

---@type table<integer, cato.Status>
local latest = {}

---@param client_id integer
---@param status cato.Status
function M.changed(client_id, status)
  latest[client_id] = status
  vim.cmd.redrawstatus({ bang = true })
end

--- Languages in which nothing is suggested unasked unless they are switched on.
local QUIET = { 'markdown', 'plaintext', 'json', 'jsonc' }

---@param client vim.lsp.Client
---@param buffer integer
---@return boolean whether suggestions are switched off for the language of the buffer
local function is_off(client, buffer)
  local languages = vim.tbl_get(client.settings or {}, 'cato', 'languages')
  if type(languages) ~= 'table' then
    languages = {}
  end
  local id = require('cato.languages').language_id(vim.bo[buffer].filetype)
  local own = vim.tbl_get(languages, id, 'enabled')
  if own == nil then
    own = vim.tbl_get(languages, '*', 'enabled')
  end
  if own == nil then
    own = not vim.list_contains(QUIET, id)
  end
  return own == false
end

---@param client vim.lsp.Client
---@param buffer integer
---@return string
function M.summary(client, buffer)
  local state = latest[client.id] and latest[client.id].state or 'starting'
  if state == 'ready' then
    return is_off(client, buffer) and 'cato off' or 'cato'
  end
  return 'cato ' .. state
end

---@param parameters number
---@return string such as `7B`, `1.5B`, `5M`
local function count(parameters)
  if parameters >= 999500000 then
    return (('%.1f'):format(parameters / 1e9):gsub('%.0$', '')) .. 'B'
  end
  return ('%dM'):format(math.max(1, math.floor(parameters / 1e6 + 0.5)))
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
    'model    ' .. shown(status.model, function(name)
      return shown(status.modelParameters, count) == '-' and name
        or ('%s (%s parameters)'):format(name, count(status.modelParameters))
    end),
    'latency  ' .. shown(status.latencyMs, function(ms)
      return ('%d ms'):format(ms)
    end),
    'load     ' .. shown(status.load, percent),
    'accepted ' .. shown(status.acceptance, percent),
    'untyped  ' .. shown(status.acceptedCharacters, function(characters)
      return ('%d characters came from suggestions'):format(characters)
    end),
    'request  ' .. shown(status.lastRequestId, tostring),
    'advice   ' .. shown(status.modelAdvice, tostring),
    'log      ' .. shown(status.logPath, tostring),
  }
end

return M
