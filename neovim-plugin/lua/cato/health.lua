local M = {}

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
    local shown = program or 'cato-lsp'
    vim.health.error(shown .. ' is not executable', { 'pip install PATH (a checkout or a wheel of CATO), or set cmd' })
    return
  end
  local result = vim.system({ program, '--version' }, { text = true }):wait(5000)
  local version = vim.trim(result.stdout or '')
  vim.health.ok(('%s (%s)'):format(vim.fn.exepath(program), version))
end

local function check_enabled()
  if vim.lsp.is_enabled('cato') then
    vim.health.ok("vim.lsp.enable('cato') was called")
  else
    vim.health.error('not enabled', { "vim.lsp.enable('cato')" })
  end
end

---@param client vim.lsp.Client
local function check_backend(client)
  local answer, reason = client:request_sync('cato/status', vim.NIL, 3000)
  local status = answer and answer.result
  if not status then
    vim.health.error('the language server does not answer: ' .. tostring(reason), {
      ':CatoRestart!',
    })
    return
  end
  local healthy = status.state == 'ready' or status.state == 'busy'
  local report = healthy and vim.health.ok or vim.health.warn
  report(table.concat(require('cato.status').describe(status), '\n'))
end

function M.check()
  vim.health.start('cato')
  if not check_neovim() then
    return
  end
  check_server()
  check_enabled()
  local client = require('cato.client').any()
  if client then
    check_backend(client)
  else
    vim.health.warn('no language server runs', { 'open a file of a supported filetype first' })
  end
end

return M
