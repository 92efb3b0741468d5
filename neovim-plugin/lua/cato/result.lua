-- What can be done with a result: bring it into the code, copy it, save it.
local M = {}

---@param task cato.Task
---@param edits cato.DocumentEdit[] all of one version; undone in one step
local function insert(task, edits)
  if not vim.api.nvim_buf_is_loaded(task.buffer) then
    vim.notify('cato: the document is closed', vim.log.levels.WARN)
  elseif vim.lsp.util.buf_versions[task.buffer] ~= edits[1].version then
    vim.notify('cato: the code has changed since: ask again', vim.log.levels.WARN)
  else
    local plain = vim.tbl_map(function(edit)
      return { range = edit.range, newText = edit.newText }
    end, edits)
    vim.lsp.util.apply_text_edits(plain, task.buffer, task.client.offset_encoding)
    vim.notify('cato: inserted')
  end
end

---@param task cato.Task
---@return integer? window that shows the document: the one that the task was started in, if it still
---does, else one of this tab page, else any
local function window_of(task)
  local showing = vim.fn.win_findbuf(task.buffer)
  local here = vim.api.nvim_tabpage_list_wins(0)
  if vim.list_contains(showing, task.window) then
    return task.window
  end
  return vim.iter(showing):find(function(window)
    return vim.list_contains(here, window)
  end) or showing[1]
end

---Below the cursor of the window that shows the document.
---@param task cato.Task
---@param text string
local function put(task, text)
  local window = window_of(task)
  if not window then
    vim.notify('cato: the document is not in a window', vim.log.levels.WARN)
    return
  end
  local line = vim.api.nvim_win_get_cursor(window)[1]
  local lines = vim.split(text, '\n', { trimempty = true })
  vim.api.nvim_buf_set_lines(task.buffer, line, line, false, lines)
  vim.notify('cato: inserted')
end

---@param text string
local function copy(text)
  vim.fn.setreg('"', text)
  pcall(vim.fn.setreg, '+', text)
  vim.notify('cato: copied')
end

---@param text string
local function save(text)
  vim.ui.input({ prompt = 'Save as: ', completion = 'file' }, function(name)
    if name and name ~= '' then
      local path = vim.fs.normalize(name)
      local written = pcall(vim.fn.writefile, vim.split(text, '\n'), path)
      vim.notify('cato: ' .. (written and 'saved ' or 'cannot write ') .. path)
    end
  end)
end

---Maps the keys of a result in its window.
---@param task cato.Task
---@param outcome cato.Outcome
---@return string hints what the keys are
function M.offer(task, outcome)
  local hints = {}
  local edits, hint = outcome.edits or {}, 'i brings it into the code'
  if outcome.documentation and outcome.documentation ~= vim.NIL then
    edits, hint = { outcome.documentation }, 'i inserts it as documentation'
  end
  if #edits > 0 and not outcome.applied then
    task.view:map('i', function()
      insert(task, edits)
    end, 'Bring it into the code')
    hints[1] = hint
  elseif #edits == 0 and outcome.languageId ~= 'markdown' then
    task.view:map('i', function()
      put(task, outcome.text)
    end, 'Insert below the cursor')
    hints[1] = 'i inserts it below the cursor'
  end
  task.view:map('Y', function()
    copy(outcome.text)
  end, 'Copy')
  task.view:map('S', function()
    save(outcome.text)
  end, 'Save as')
  vim.list_extend(hints, { 'Y copies', 'S saves', 'q closes' })
  return table.concat(hints, ', ')
end

return M
