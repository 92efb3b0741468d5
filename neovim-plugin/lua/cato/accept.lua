local M = {}

---Characters typed since the suggestion was made stand between its place and the cursor: they are
---part of it, or it is stale. Neovim itself would insert the suggestion in front of them.
---@param item vim.lsp.inline_completion.Item
---@return vim.lsp.inline_completion.Item? item with the typed part inside its range; nil: stale
local function fitted(item)
  local range, text = item.range, item.insert_text
  if not range or type(text) ~= 'string' then
    return item
  end
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local start_row, start_column, end_row, end_column = range:to_extmark()
  if row - 1 ~= start_row or end_row ~= start_row or column <= end_column then
    return item
  end
  local line = vim.api.nvim_get_current_line()
  if not vim.startswith(text, line:sub(start_column + 1, column)) then
    return nil
  end
  item.range = vim.range(range.buf, start_row, start_column, start_row, column)
  return item
end

---@return boolean whether there was a suggestion
function M.accept()
  return vim.lsp.inline_completion.get({ on_accept = fitted })
end

return M
