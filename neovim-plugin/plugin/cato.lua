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
  nargs = 1,
  complete = function(typed)
    return require('cato.languages').matching(typed)
  end,
})
command('CatoCancel', 'cancel', { desc = 'Cancel the summary or translation that is running' })
command('CatoStatus', 'status', { desc = 'Show the state of the backend' })
command('CatoRestart', 'restart', {
  desc = 'Look for the backend again; with !, restart the language server too',
  bang = true,
})
command('CatoLog', 'log', { desc = "Open the language server's log" })

vim.keymap.set('i', '<Plug>(cato-accept)', function()
  return require('cato').accept('<Tab>')
end, { expr = true, desc = 'Accept the suggestion, else insert a tab' })
