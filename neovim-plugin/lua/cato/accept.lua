local M = {}

---@alias cato.Piece 'word'|'line'

---Characters typed since the suggestion was made stand between its place and the cursor: they are
---part of it, or it is stale. Neovim itself would insert the suggestion in front of them.
---@param item vim.lsp.inline_completion.Item
---@return vim.lsp.inline_completion.Item? item with the typed part inside its range; nil: stale
---@return string typed
local function fitted(item)
  local range, text = item.range, item.insert_text
  if not range or type(text) ~= 'string' then
    return item, ''
  end
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local start_row, start_column, end_row, end_column = range:to_extmark()
  if row - 1 ~= start_row or end_row ~= start_row or column < end_column then
    return item, ''
  end
  local typed = vim.api.nvim_get_current_line():sub(start_column + 1, column)
  if not vim.startswith(text, typed) then
    return nil, typed
  end
  item.range = vim.range(range.buf, start_row, start_column, start_row, column)
  return item, typed
end

---@param text string
---@param piece cato.Piece
---@return string head the next word or line, with the blanks and line ends in front of it
local function head_of(text, piece)
  if piece == 'line' then
    return text:match('^%s*[^\n]+') or text
  end
  local word = vim.fn.matchstr(text, [[\v^\_s*(\k+|(\k@!\S)+)]])
  return word ~= '' and word or text
end

---@param item vim.lsp.inline_completion.Item
---@param head string
local function tell(item, head)
  local client = vim.lsp.get_client_by_id(item.client_id)
  if client and client.name == 'cato' then
    client:notify('textDocument/didPartiallyAcceptCompletion', {
      item = { insertText = item.insert_text, command = item.command },
      acceptedLength = vim.str_utfindex(head, 'utf-16'),
    })
  end
end

---@param buffer integer
---@param piece cato.Piece
---@return fun(item: vim.lsp.inline_completion.Item): vim.lsp.inline_completion.Item?
local function cutting(buffer, piece)
  return function(item)
    local whole, typed = fitted(item)
    if not whole or type(whole.insert_text) ~= 'string' then
      return whole
    end
    local text = whole.insert_text --[[@as string]]
    local head = typed .. head_of(text:sub(#typed + 1), piece)
    if head == text then
      return whole
    end
    tell(whole, head)
    whole.insert_text, whole.command = head, nil
    -- Once it is inserted.
    vim.schedule(function()
      require('cato.suggestion').refresh(buffer)
    end)
    return whole
  end
end

---@param piece? cato.Piece all of it by default
---@return boolean whether there was a suggestion
function M.accept(piece)
  local buffer = vim.api.nvim_get_current_buf()
  return vim.lsp.inline_completion.get({
    on_accept = piece and cutting(buffer, piece) or function(item)
      return (fitted(item))
    end,
  })
end

return M
