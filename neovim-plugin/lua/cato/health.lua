local M = {}

local PROGRAM = { 'pip install PATH, where PATH is a checkout or a wheel of CATO; or set cmd' }

---What helps in each state of the backend.
local ADVICE = {
  unreachable = { 'start one with `cato serve`, or set backend.url', '`cato doctor` checks each step' },
  unauthorized = { ':CatoSignIn, or set backend.token (or CATO_BACKEND_TOKEN), see :help cato-settings' },
  disabled = { 'set completion.enabled' },
  starting = { 'wait until the model is loaded; :CatoLog tells more' },
}

---@return boolean
local function check_neovim()
  if vim.fn.has('nvim-0.12') == 1 then
    vim.health.ok('Neovim ' .. tostring(vim.version()))
    return true
  end
  vim.health.error('Neovim 0.12 or newer is needed for inline completion')
  return false
end

local function check_server()
  local command = vim.tbl_get(vim.lsp.config, 'cato', 'cmd')
  local program = type(command) == 'table' and command[1]
  if not program or vim.fn.executable(program) == 0 then
    vim.health.error((program or 'cato-lsp') .. ' is not executable', PROGRAM)
    return
  end
  local result = vim.system({ program, '--version' }, { text = true }):wait(5000)
  local version = vim.trim(result.stdout or '')
  if result.code ~= 0 or version == '' then
    vim.health.error(program .. ' does not run: ' .. vim.trim(result.stderr or ''), PROGRAM)
    return
  end
  vim.health.ok(('%s (%s)'):format(vim.fn.exepath(program), version))
end

local function check_enabled()
  if vim.lsp.is_enabled('cato') then
    vim.health.ok("vim.lsp.enable('cato') was called")
  else
    vim.health.error('not enabled', { "vim.lsp.enable('cato')" })
  end
end

local function check_keys()
  local is_mapped = vim.iter(vim.api.nvim_get_keymap('i')):any(function(map)
    return (map.rhs or ''):find('<Plug>(cato-accept)', 1, true) ~= nil
  end)
  if is_mapped then
    vim.health.ok('a key accepts suggestions')
  else
    vim.health.info('no key is mapped to <Plug>(cato-accept): unless a mapping of your own accepts')
    vim.health.info("suggestions, add vim.keymap.set('i', '<Tab>', '<Plug>(cato-accept)')")
  end
end

---@param status cato.Status
local function report(status)
  local lines = table.concat(require('cato.status').describe(status), '\n')
  if status.state ~= 'ready' and status.state ~= 'busy' then
    vim.health.warn(lines, ADVICE[status.state])
  elseif status.modelAdvice and status.modelAdvice ~= vim.NIL and status.modelAdvice ~= '' then
    vim.health.ok(lines)
    vim.health.info(status.modelAdvice)
  else
    vim.health.ok(lines)
  end
end

---@param client vim.lsp.Client
local function check_backend(client)
  local answer, reason = client:request_sync('cato/status', vim.NIL, 3000)
  local status = answer and answer.result
  if status then
    report(status)
  else
    local said = 'the language server does not answer: ' .. tostring(reason)
    vim.health.error(said, { ':CatoRestart!' })
  end
end

function M.check()
  vim.health.start('cato')
  if not check_neovim() then
    return
  end
  check_server()
  check_enabled()
  check_keys()
  local client = require('cato.client').any()
  if client then
    check_backend(client)
  else
    local types = table.concat(vim.tbl_get(vim.lsp.config, 'cato', 'filetypes') or {}, ', ')
    vim.health.warn('no language server runs', { 'open a file of one of these types first: ' .. types })
  end
end

return M
