-- A floating window that fills while a result comes in. `q` closes it.
local M = {}
M.__index = M

---@class cato.View
---@field buffer integer
---@field window integer

local WIDEST = 100
local SHARE = 0.45

---At the lower right, so that the code above stays in sight; `CTRL-W J` makes a split of it.
---@return vim.api.keyset.win_config
local function place()
  return {
    relative = 'editor',
    anchor = 'SE',
    row = vim.o.lines - vim.o.cmdheight - 1,
    col = vim.o.columns,
    width = math.max(20, math.min(WIDEST, vim.o.columns - 4)),
    height = math.max(3, math.floor(vim.o.lines * SHARE)),
    border = 'rounded',
    style = 'minimal',
  }
end

---@param label string
---@param closed? fun() called once, when the buffer is gone
---@return cato.View
function M.open(label, closed)
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.bo[buffer].bufhidden = 'wipe'
  vim.bo[buffer].modifiable = false
  local window = vim.api.nvim_open_win(buffer, true, place())
  vim.wo[window][0].linebreak = true
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buffer, nowait = true, desc = 'Close' })
  if closed then
    vim.api.nvim_create_autocmd('BufWipeout', { buffer = buffer, once = true, callback = closed })
  end
  local self = setmetatable({ buffer = buffer, window = window }, M)
  self:label(label)
  return self
end

---@return boolean
function M:alive()
  return vim.api.nvim_buf_is_valid(self.buffer)
end

---@return boolean
function M:empty()
  return vim.deep_equal(vim.api.nvim_buf_get_lines(self.buffer, 0, -1, false), { '' })
end

---The line above the text.
---@param text string
function M:label(text)
  if vim.api.nvim_win_is_valid(self.window) then
    vim.wo[self.window][0].winbar = ' ' .. text:gsub('%%', '%%%%')
  end
end

---@param change fun(buffer: integer)
function M:edit(change)
  vim.bo[self.buffer].modifiable = true
  change(self.buffer)
  vim.bo[self.buffer].modifiable = false
end

---The cursor stays where the person left it: Neovim would push it along at the end of the text.
---@param piece string
function M:append(piece)
  local shown = vim.fn.win_findbuf(self.buffer)[1]
  local cursor = shown and vim.api.nvim_win_get_cursor(shown)
  self:edit(function(buffer)
    vim.api.nvim_buf_set_text(buffer, -1, -1, -1, -1, vim.split(piece, '\n'))
  end)
  if cursor then
    vim.api.nvim_win_set_cursor(shown, cursor)
  end
end

---Replaces the text by `text`; what is appended continues it.
---@param text string
function M:restart(text)
  self:edit(function(buffer)
    vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.split(text, '\n'))
  end)
end

---Shows the whole text, without blank lines around it.
---@param text string
function M:replace(text)
  local lines = vim.split(text, '\n', { trimempty = true })
  if not vim.deep_equal(lines, vim.api.nvim_buf_get_lines(self.buffer, 0, -1, false)) then
    self:edit(function(buffer)
      vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
    end)
  end
end

---Shows the text as its filetype does; Markdown without its marks.
---@param filetype string
function M:render(filetype)
  vim.bo[self.buffer].filetype = filetype
  if filetype == 'markdown' and vim.api.nvim_win_is_valid(self.window) then
    vim.wo[self.window][0].conceallevel = 2
    pcall(vim.treesitter.start, self.buffer, 'markdown')
  end
end

---@param key string
---@param action fun()
---@param description string
function M:map(key, action, description)
  vim.keymap.set('n', key, action, { buffer = self.buffer, nowait = true, desc = description })
end

return M
