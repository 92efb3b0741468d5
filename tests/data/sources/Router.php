<?php

declare(strict_types=1);

namespace Example\Web;

use InvalidArgumentException;

/**
 * Finds the handler of a path (the first one that matches).
 */
final class Router
{
    private array $routes = [];

    public function __construct(private string $prefix = '')
    {
    }

    public function add(string $pattern, callable $handler): self
    {
        if ($pattern === '') {
            throw new InvalidArgumentException('an empty pattern (or none)');
        } elseif ($pattern[0] !== '/') {
            $pattern = '/' . $pattern;
        } else {
            $pattern = rtrim($pattern, '/)');
        }
        $this->routes[$this->expression($pattern)] = $handler;

        return $this;
    }

    public function dispatch(string $path, array $query = []): string
    {
        foreach ($this->routes as $expression => $handler) {
            if (!preg_match($expression, $path, $found)) {
                continue;
            }
            $parameters = array_filter(
                $found,
                fn ($key) => is_string($key),
                ARRAY_FILTER_USE_KEY
            );
            try {
                return $handler($parameters + $query);
            } catch (\RuntimeException $error) {
                return sprintf('failed: %s)', $error->getMessage());
            } finally {
                error_log("handled {$path}");
            }
        }

        return 'not found';
    }

    private function expression(string $pattern): string
    {
        $quoted = preg_replace_callback('/\{(\w+)\}/', function (array $match): string {
            return '(?<' . $match[1] . '>[^/)]+)';
        }, $pattern);

        return '#^' . $this->prefix . $quoted . '$#';
    }

    public function names(): array
    {
        $names = [];
        foreach (array_keys($this->routes) as $index => $expression) {
            switch ($index % 2) {
                case 0:
                    $names[] = "even: $expression";
                    break;
                default:
                    $names[] = "odd }: $expression";
            }
        }
        while (count($names) > 10) {
            array_pop($names);
        }

        return $names;
    }
}
