-- Neovim's filetypes and LSP's language identifiers differ in a few places.
local M = {}

---Targets offered by the command line; others may be typed.
local TARGETS = {
  'c',
  'cpp',
  'csharp',
  'go',
  'java',
  'javascript',
  'kotlin',
  'lua',
  'php',
  'python',
  'ruby',
  'rust',
  'scala',
  'swift',
  'typescript',
}

local SPOKEN = {
  ['c#'] = 'csharp',
  ['c++'] = 'cpp',
  cs = 'csharp',
  golang = 'go',
  js = 'javascript',
  py = 'python',
  rb = 'ruby',
  rs = 'rust',
  ts = 'typescript',
}

local ID_OF_FILETYPE = { bash = 'shellscript', cs = 'csharp', sh = 'shellscript' }
local FILETYPE_OF_ID = { csharp = 'cs', shellscript = 'sh' }

---@param filetype string
---@return string
function M.language_id(filetype)
  return ID_OF_FILETYPE[filetype] or filetype
end

---@param language_id string
---@return string
function M.filetype(language_id)
  return FILETYPE_OF_ID[language_id] or language_id
end

---The language identifier that a person means by a name, such as `C++`.
---@param name string
---@return string
function M.named(name)
  local lower = vim.trim(name):lower()
  return SPOKEN[lower] or lower
end

---@param language_id string that of the function
---@return string[] languages to translate it to
function M.targets_besides(language_id)
  return vim.tbl_filter(function(target)
    return target ~= language_id
  end, TARGETS)
end

---@param typed string
---@return string[]
function M.matching(typed)
  return vim.tbl_filter(function(target)
    return vim.startswith(target, typed:lower())
  end, TARGETS)
end

return M
