-- A whole task: from the request, over its pieces, to its result in a floating window.
local view = require('cato.view')

local M = {}

---@class cato.Outcome
---@field outcome 'ok'|'cancelled'|'failed'
---@field title string
---@field languageId string
---@field text string
---@field message string
---@field elapsedMs number
---@field documentation? cato.DocumentEdit how a summary becomes the documentation of its function
---@field edits? cato.DocumentEdit[] how the result comes into the document
---@field applied? boolean whether the edits were applied by the server's request

---@class cato.DocumentEdit
---@field range lsp.Range
---@field newText string
---@field version integer

---@class cato.Task
---@field client vim.lsp.Client
---@field label string
---@field view cato.View
---@field request_id? integer
---@field buffer integer the document that it is about
---@field window integer the window that it was started in

---Running tasks by the token of their pieces.
---@type table<string, cato.Task>
local running = {}
local started = 0

---@param task cato.Task
---@param outcome cato.Outcome
local function show(task, outcome)
  if outcome.outcome == 'ok' then
    task.view:replace(outcome.text)
    if (outcome.message or '') ~= '' then
      vim.notify('cato: ' .. outcome.message, vim.log.levels.WARN)
    end
    task.view:render(require('cato.languages').filetype(outcome.languageId))
    local hints = require('cato.result').offer(task, outcome)
    local seconds = outcome.elapsedMs / 1000
    task.view:label(('%s (%.1f s): %s'):format(outcome.title, seconds, hints))
    return
  end
  if task.view:empty() then
    task.view:replace(outcome.message)
  end
  task.view:label(('%s %s, q closes'):format(task.label, outcome.outcome))
end

---@param token string
---@param outcome cato.Outcome
local function finish(token, outcome)
  local task = running[token]
  running[token] = nil
  if task and task.view:alive() then
    show(task, outcome)
  end
end

---@param message string
---@return cato.Outcome
local function failed(message)
  return { outcome = 'failed', message = message }
end

---@param token string
local function cancel(token)
  local task = running[token]
  if task then
    task.client:cancel_request(task.request_id)
    -- Neovim does not call back for a request that was answered as cancelled.
    finish(token, { outcome = 'cancelled', message = '' })
  end
end

---@param client vim.lsp.Client
---@param method string
---@param label string
---@param params table
local function send(client, method, label, params)
  started = started + 1
  local token = 'cato-' .. started
  local buffer = vim.api.nvim_get_current_buf()
  params.workDoneToken = token .. '-progress'
  params.partialResultToken = token
  local window = vim.api.nvim_get_current_win()
  local task = { client = client, label = label, buffer = buffer, window = window }
  task.view = view.open(label .. ' ... q cancels', function()
    cancel(token)
  end)
  running[token] = task
  local sent, request_id = client:request(method, params, function(failure, outcome)
    finish(token, failure and failed(failure.message) or outcome)
  end, buffer)
  task.request_id = request_id
  if not sent then
    finish(token, failed('The language server is gone: :CatoRestart!'))
  end
end

---Sends `method` for the place under the cursor and shows the result.
---@param client vim.lsp.Client
---@param method string
---@param label string
---@param extra? table further parameters
function M.start(client, method, label, extra)
  local place = vim.lsp.util.make_position_params(0, client.offset_encoding)
  send(client, method, label, vim.tbl_extend('error', place, extra or {}))
end

---Runs a command of the language server and shows its result.
---@param client vim.lsp.Client
---@param command string such as `cato.server.document`
---@param arguments any[] its document, its place, and what else it takes
---@param label string
function M.run(client, command, arguments, label)
  send(client, 'workspace/executeCommand', label, { command = command, arguments = arguments })
end

---@param params lsp.ProgressParams
---@return boolean whether this was a piece of a result, and not a progress report
function M.piece(params)
  local value = params.value
  if type(value) ~= 'table' or value.delta == nil then
    return false
  end
  local task = running[params.token]
  if task and task.view:alive() then
    if value.restart then
      task.view:restart(value.delta)
    else
      task.view:append(value.delta)
    end
  end
  return true
end

---Cancels the task of the current buffer, else all that run.
---@return integer count
function M.cancel()
  local here = vim.api.nvim_get_current_buf()
  local tokens = vim.tbl_keys(running)
  local own = vim.tbl_filter(function(token)
    return running[token].view.buffer == here
  end, tokens)
  local chosen = #own > 0 and own or tokens
  vim.iter(chosen):each(cancel)
  return #chosen
end

return M
