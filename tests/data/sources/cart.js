'use strict';

const fs = require('fs');
const { EventEmitter } = require('events');

// Matches "3 x apple (red)": a count, a name, and something in brackets.
const LINE = /^(\d+)\s*x\s*([^()]+?)(?:\s*\(([^)]*)\))?$/;

class Cart extends EventEmitter {
  constructor(options = {}) {
    super();
    this.items = new Map();
    this.options = { currency: 'EUR', ...options };
  }

  add(name, count = 1) {
    if (count <= 0) {
      throw new RangeError(`count must be positive (got ${count})`);
    } else if (this.items.has(name)) {
      this.items.set(name, this.items.get(name) + count);
    } else {
      this.items.set(name, count);
    }
    this.emit('change', { name, count });
    return this;
  }

  async load(path) {
    let text;
    try {
      text = await fs.promises.readFile(path, 'utf8');
    } catch (error) {
      if (error.code !== 'ENOENT') {
        throw error;
      }
      return [];
    } finally {
      this.emit('loaded', path);
    }
    return text.split('\n').map((line) => parse(line)).filter(Boolean);
  }

  total(prices) {
    return [...this.items.entries()].reduce((sum, [name, count]) => {
      const price = prices[name] ?? 0;
      return sum + price * count;
    }, 0);
  }

  describe() {
    const lines = [];
    for (const [name, count] of this.items) {
      switch (true) {
        case count === 1:
          lines.push(name);
          break;
        case /[)\]}]/.test(name):
          lines.push(`${count} of "${name.replace(/\)/g, '')}"`);
          break;
        default:
          lines.push(`${count} x ${name} :)`);
      }
    }
    return lines.join(', ');
  }
}

function parse(line) {
  const match = LINE.exec(line.trim());
  if (!match) {
    return null;
  }
  const [, count, name, note] = match;
  return {
    count: Number(count),
    name,
    note: note || undefined,
  };
}

const debounce = (callback, wait) => {
  let timer = null;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      callback(...args);
    }, wait);
  };
};

module.exports = { Cart, parse, debounce };
