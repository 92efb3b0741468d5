-- What happens when the language server takes a buffer on.
local M = {}

---@type table<integer, boolean>
local watched = {}

---@param client vim.lsp.Client
---@param buffer integer
local function tell_focus(client, buffer)
  if vim.lsp.buf_is_attached(buffer, client.id) then
    local here = vim.lsp.util.make_position_params(0, client.offset_encoding)
    client:notify('textDocument/didFocus', here)
  end
end

---Shows what the tasks of code actions and code lenses answer, as the user commands do.
---@param client vim.lsp.Client
local function run_tasks(client)
  for _, verb in ipairs({ 'document', 'explain', 'test', 'fix', 'generate' }) do
    local name = 'cato.server.' .. verb
    client.commands[name] = function(command)
      require('cato.task').run(client, name, command.arguments, command.title)
    end
  end
end

---@type table<integer, boolean> clients whose code lenses were switched on here
local with_lenses = {}

---Neovim shows no code lenses until it is told to. What a person enables is left alone.
---@param client vim.lsp.Client
local function show_code_lenses(client)
  local wanted = vim.tbl_get(client.settings, 'cato', 'codeLens', 'enabled') == true
  if wanted ~= (with_lenses[client.id] or false) then
    with_lenses[client.id] = wanted
    vim.lsp.codelens.enable(wanted, { client_id = client.id })
  end
end

---Follows the setting, which may change while the client runs.
---@param client vim.lsp.Client
local function follow_settings(client)
  show_code_lenses(client)
  vim.api.nvim_create_autocmd('LspNotify', {
    group = vim.api.nvim_create_augroup('cato.client.' .. client.id, {}),
    callback = function(event)
      local about = event.data
      if about.client_id == client.id and about.method == 'workspace/didChangeConfiguration' then
        show_code_lenses(client)
      end
    end,
  })
end

---@param client vim.lsp.Client
---@param buffer integer
function M.attach(client, buffer)
  local suggestion = require('cato.suggestion')
  if not watched[client.id] then
    watched[client.id] = true
    suggestion.watch(client)
    run_tasks(client)
    follow_settings(client)
  end
  vim.lsp.inline_completion.enable(true, { bufnr = buffer })
  local group = vim.api.nvim_create_augroup('cato.buffer.' .. buffer, {})
  ---@param events string|string[]
  ---@param callback fun()
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { buffer = buffer, group = group, callback = callback })
  end
  -- Who begins to insert wants a suggestion next: its prompt can be computed meanwhile.
  on({ 'BufEnter', 'InsertEnter' }, function()
    tell_focus(client, buffer)
  end)
  on('CompleteChanged', function()
    -- Text and decorations are locked while the menu changes.
    vim.schedule(function()
      suggestion.hide(buffer)
    end)
  end)
  on('BufWipeout', function()
    suggestion.forget(buffer)
  end)
end

return M
