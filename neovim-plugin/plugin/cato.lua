if vim.g.loaded_cato then
  return
end
vim.g.loaded_cato = 1

---@param name string
---@param run string function of `cato.commands`, loaded when it is first wanted
---@param options table
local function command(name, run, options)
  vim.api.nvim_create_user_command(name, function(call)
    require('cato.commands')[run](call)
  end, options)
end

command('CatoSummarize', 'summarize', { desc = 'Summarize the function under the cursor' })
command('CatoTranslate', 'translate', {
  desc = 'Translate the function under the cursor to another language',
  nargs = '?',
  complete = function(typed)
    return require('cato.languages').matching(typed)
  end,
})
command('CatoDocument', 'document', {
  desc = 'Document the function under the cursor, or those in the range',
  range = true,
})
command('CatoExplain', 'explain', {
  desc = 'Explain the function under the cursor, or the lines of the range',
  range = true,
})
command('CatoTest', 'test', {
  desc = 'Write tests for the function under the cursor, or those in the range',
  range = true,
})
command('CatoFix', 'fix', {
  desc = 'Fix what the diagnostics of the line, or of the range, say',
  range = true,
})
command('CatoGenerate', 'generate', {
  desc = 'Generate the code that the text, or the comment under the cursor, asks for',
  range = true,
  nargs = '*',
})
command('CatoCancel', 'cancel', { desc = 'Cancel the task that is running' })
command('CatoStatus', 'status', { desc = 'Show the state of the backend' })
command('CatoRestart', 'restart', {
  desc = 'Look for the backend again; with !, restart the language server too',
  bang = true,
})
command('CatoSignIn', 'sign_in', { desc = "Sign in to a team's server, by a code in the browser" })
command('CatoLog', 'log', { desc = "Open the language server's log" })

vim.api.nvim_create_autocmd('LspAttach', {
  group = vim.api.nvim_create_augroup('cato', {}),
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'cato' then
      require('cato.attach').attach(client, event.buf)
    end
  end,
})

---@param name string
---@param fallback string
---@param piece? cato.Piece
---@param description string
local function accepting(name, fallback, piece, description)
  vim.keymap.set('i', ('<Plug>(%s)'):format(name), function()
    return require('cato').accept(fallback, piece)
  end, { expr = true, desc = description })
end

---@param name string
---@param count integer
---@param description string
local function turning(name, count, description)
  vim.keymap.set('i', ('<Plug>(%s)'):format(name), function()
    require('cato').turn(count)
  end, { desc = description })
end

accepting('cato-accept', '<Tab>', nil, 'Accept the suggestion, else insert a tab')
accepting('cato-accept-word', '', 'word', 'Accept the next word of the suggestion')
accepting('cato-accept-line', '', 'line', 'Accept the next line of the suggestion')
turning('cato-next', 1, 'Show the next suggestion')
turning('cato-previous', -1, 'Show the suggestion before')

---@param verb string
---@param name string the user command
---@param description string
---@param ranged boolean whether the command takes a range
local function doing(verb, name, description, ranged)
  local plug = ('<Plug>(cato-%s)'):format(verb)
  vim.keymap.set('n', plug, ('<Cmd>%s<CR>'):format(name), { desc = description })
  if ranged then
    vim.keymap.set('x', plug, (':%s<CR>'):format(name), { desc = description, silent = true })
  end
end

doing('summarize', 'CatoSummarize', 'Summarize the function', false)
doing('translate', 'CatoTranslate', 'Translate the function', false)
doing('document', 'CatoDocument', 'Document the function, or the selected ones', true)
doing('explain', 'CatoExplain', 'Explain the function, or the selected lines', true)
doing('test', 'CatoTest', 'Write tests for the function, or the selected ones', true)
doing('fix', 'CatoFix', 'Fix what the diagnostics of the lines say', true)
doing('generate', 'CatoGenerate', 'Generate what the comment asks for', false)
doing('cancel', 'CatoCancel', 'Cancel the task that is running', false)
