-- What the user commands do; `plugin/cato.lua` names them.
local client = require('cato.client')

local M = {}

---@param method string
---@param label string
---@param extra? table
local function run_task(method, label, extra)
  local attached = client.attached(0)
  if attached then
    require('cato.task').start(attached, method, label, extra)
  else
    client.missing()
  end
end

function M.summarize()
  run_task('cato/summarize', 'summary')
end

---@param language string
local function translate_to(language)
  run_task('cato/translate', 'translation to ' .. language, { targetLanguage = language })
end

---To the language that was named, else to one that is picked from a list.
function M.translate(call)
  local languages = require('cato.languages')
  if call.args ~= '' then
    translate_to(languages.named(call.args))
    return
  end
  local window = vim.api.nvim_get_current_win()
  local targets = languages.targets_besides(languages.language_id(vim.bo.filetype))
  vim.ui.select(targets, { prompt = 'Translate the function to:' }, function(language)
    if language and vim.api.nvim_win_is_valid(window) then
      vim.api.nvim_set_current_win(window)
      translate_to(language)
    end
  end)
end

---The place that a command is about: the lines of its range, else the cursor.
---@param call table of the user command
---@param client vim.lsp.Client
local function place_of(call, client)
  if call.range and call.range > 0 then
    local last = vim.api.nvim_buf_get_lines(0, call.line2 - 1, call.line2, false)[1] or ''
    local encoding = client.offset_encoding
    return {
      start = { line = call.line1 - 1, character = 0 },
      ['end'] = { line = call.line2 - 1, character = vim.str_utfindex(last, encoding) },
    }
  end
  return vim.lsp.util.make_position_params(0, client.offset_encoding).position
end

---@param verb string
---@param label string
---@param call table of the user command
---@param extra? any what the command takes besides its place
local function run_command(verb, label, call, extra)
  local attached = client.attached(0)
  if not attached then
    client.missing()
    return
  end
  local arguments = { vim.uri_from_bufnr(0), place_of(call, attached), extra }
  require('cato.task').run(attached, 'cato.server.' .. verb, arguments, label)
end

function M.document(call)
  run_command('document', 'documentation', call)
end

function M.explain(call)
  run_command('explain', 'explanation', call)
end

function M.test(call)
  run_command('test', 'tests', call)
end

function M.generate(call)
  run_command('generate', 'code', call, call.args)
end

---Fixes what the diagnostics on the lines of the range, or of the cursor, say.
function M.fix(call)
  local first = call.range > 0 and call.line1 or vim.fn.line('.')
  local last = call.range > 0 and call.line2 or first
  local found = vim.tbl_filter(function(each)
    return each.lnum + 1 >= first and each.lnum + 1 <= last
  end, vim.diagnostic.get(0))
  if #found == 0 then
    vim.notify('cato: there is no diagnostic here')
    return
  end
  run_command('fix', 'fix', call, vim.tbl_map(require('cato.diagnostics').to_lsp, found))
end

function M.cancel()
  if require('cato.task').cancel() == 0 then
    vim.notify('cato: nothing is running')
  end
end

---@param method string
---@param use fun(status: cato.Status)
local function ask_status(method, use)
  local asked = client.any()
  if not asked then
    client.missing()
    return
  end
  asked:request(method, vim.NIL, function(failure, status)
    if failure then
      vim.notify('cato: ' .. failure.message, vim.log.levels.WARN)
    else
      require('cato.status').changed(asked.id, status)
      use(status)
    end
  end)
end

function M.status()
  ask_status('cato/status', function(status)
    local view = require('cato.view').open('cato, q closes')
    view:replace(table.concat(require('cato.status').describe(status), '\n'))
    vim.api.nvim_win_set_height(view.window, vim.api.nvim_buf_line_count(view.buffer) + 1)
  end)
end

---@class cato.SignInStep
---@field outcome 'ok'|'cancelled'|'failed'
---@field message string what went wrong and what to do
---@field userCode? string
---@field verificationUri? string
---@field verificationUriComplete? string
---@field person? string

---@param asked vim.lsp.Client
---@param method string
---@param params table
---@param use fun(step: cato.SignInStep)
local function sign_in_step(asked, method, params, use)
  asked:request(method, params, function(failure, step)
    local message = failure and failure.message or step.message
    if failure or step.outcome == 'failed' then
      vim.notify('cato: not signed in: ' .. message, vim.log.levels.WARN)
    elseif step.outcome == 'ok' then
      use(step)
    end
  end)
end

---Shows a code that the person confirms in a browser; the language server keeps the token.
function M.sign_in()
  local asked = client.any()
  if not asked then
    client.missing()
    return
  end
  sign_in_step(asked, 'cato/signIn', vim.empty_dict(), function(begun)
    local page = begun.verificationUriComplete
    vim.notify(('cato: confirm the code %s at %s'):format(begun.userCode, begun.verificationUri))
    if page:match('^https?://') then
      vim.ui.open(page)
    end
    sign_in_step(asked, 'cato/finishSignIn', { keep = true }, function(done)
      vim.notify('cato: signed in as ' .. done.person)
    end)
  end)
end

function M.restart(call)
  local known = client.any()
  if call.bang and known then
    vim.cmd.lsp({ 'restart', known.name })
  elseif known then
    ask_status('cato/restartBackend', function(status)
      vim.notify('cato: ' .. status.state)
    end)
  else
    vim.lsp.enable('cato')
  end
end

---@param path string
local function open_log(path)
  vim.cmd.sview({ vim.fn.fnameescape(path), magic = { file = false } })
  vim.bo.autoread = true
  vim.cmd.normal({ 'G', bang = true })
end

function M.log()
  ask_status('cato/status', function(status)
    local own = status.logPath ~= vim.NIL and status.logPath
    -- Without a log file of its own the server writes to stderr, which Neovim keeps.
    open_log(own or vim.lsp.log.get_filename())
  end)
end

return M
