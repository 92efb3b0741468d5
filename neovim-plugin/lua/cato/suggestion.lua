-- What is suggested in each buffer. Neovim keeps that to itself, so what it asks and is answered is
-- listened to here; and it asks for one suggestion only, so further ones are asked for here.
local M = {}

local METHOD = 'textDocument/inlineCompletion'
local NAMESPACE = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
local INVOKED, AUTOMATIC = 1, 2

---@class cato.Suggested
---@field client vim.lsp.Client
---@field send fun(params: table, handler: lsp.Handler) asks without being listened to
---@field show lsp.Handler hands an answer to Neovim
---@field items lsp.InlineCompletionItem[]
---@field index integer that of the one on display

---@type table<integer, cato.Suggested>
local buffers = {}

---@param buffer integer
---@return boolean
local function on_display(buffer)
  return #vim.api.nvim_buf_get_extmarks(buffer, NAMESPACE, 0, -1, { limit = 1 }) > 0
end

---@param buffer integer
local function tell_shown(buffer)
  local suggested = buffers[buffer]
  local item = suggested.items[suggested.index]
  if item and on_display(buffer) then
    suggested.client:notify('textDocument/didShowCompletion', { item = item })
  end
end

---@param buffer integer
---@param failure? lsp.ResponseError
---@param result? lsp.InlineCompletionItem[]|lsp.InlineCompletionList null: what is shown stays
---@param context lsp.HandlerContext
local function received(buffer, failure, result, context)
  local suggested = buffers[buffer]
  if result and vim.fn.pumvisible() == 1 then
    -- Two offers at one place are none: the menu, which was there first, has it.
    result = { items = {} }
  end
  if result then
    suggested.items, suggested.index = result.items or result, 1
  end
  suggested.show(failure, result, context)
  if result then
    tell_shown(buffer)
  end
end

---@param buffer integer
---@param kind integer
---@param answered? fun()
local function ask(buffer, kind, answered)
  local suggested = buffers[buffer]
  local params = vim.lsp.util.make_position_params(0, suggested.client.offset_encoding)
  params.context = { triggerKind = kind }
  suggested.send(params, function(failure, result, context)
    received(buffer, failure, result, context)
    if answered then
      answered()
    end
  end)
end

---Listens to what Neovim asks `client` for and is answered.
---@param client vim.lsp.Client
function M.watch(client)
  local request = client.request
  client.request = function(self, method, params, handler, buffer)
    if method ~= METHOD or not handler or not buffer then
      return request(self, method, params, handler, buffer)
    end
    local function send(own, answered)
      return request(self, METHOD, own, answered, buffer)
    end
    local known = buffers[buffer] or { items = {}, index = 1 }
    known.client, known.send, known.show = client, send, handler
    buffers[buffer] = known
    return send(params, function(failure, result, context)
      received(buffer, failure, result, context)
    end)
  end
end

---Takes what is suggested from the screen.
---@param buffer integer
function M.hide(buffer)
  local suggested = buffers[buffer]
  if suggested and #suggested.items > 0 then
    suggested.items = {}
    suggested.show(nil, { items = {} }, { method = METHOD, client_id = suggested.client.id })
  end
end

---@param buffer integer
function M.forget(buffer)
  buffers[buffer] = nil
end

---Shows at once what is known to come at the cursor.
---@param buffer integer
function M.refresh(buffer)
  if buffers[buffer] then
    ask(buffer, AUTOMATIC)
  end
end

---@param buffer integer
---@param count integer
local function turn(buffer, count)
  local suggested = buffers[buffer]
  local candidates = #suggested.items
  if candidates > 1 then
    suggested.index = (suggested.index - 1 + count) % candidates + 1
    vim.lsp.inline_completion.select({ bufnr = buffer, count = count })
    tell_shown(buffer)
  end
end

---Shows another candidate; the first time, further ones are asked for.
---@param buffer integer
---@param count integer how far to go, backwards where negative
---@return boolean whether there is a suggestion at all
function M.turn(buffer, count)
  local suggested = buffers[buffer]
  if not suggested or #suggested.items == 0 then
    return false
  end
  if #suggested.items > 1 then
    turn(buffer, count)
  else
    ask(buffer, INVOKED, function()
      turn(buffer, count)
    end)
  end
  return true
end

return M
