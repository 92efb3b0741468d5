# Runs tasks at their times (in one thread).
require 'time'
require_relative 'clock'

module Scheduler
  class Error < StandardError; end

  PATTERN = /\A(\d{2}):(\d{2})(?:\s*\(([^)]*)\))?\z/
  DAYS = %w[mon tue wed thu fri sat sun].freeze

  class Task
    attr_reader :name, :hour, :minute

    def initialize(name, at:, days: DAYS, &block)
      match = PATTERN.match(at)
      raise Error, "no time: #{at} (expected HH:MM)" unless match

      @name = name
      @hour, @minute = match[1].to_i, match[2].to_i
      @days = days
      @block = block
    end

    def due?(now)
      return false unless @days.include?(DAYS[now.wday - 1])

      if now.hour == hour
        now.min >= minute
      elsif now.hour > hour
        true
      else
        false
      end
    end

    def run
      @block.call
    rescue StandardError => e
      warn "#{name} failed: #{e.message} :("
      nil
    ensure
      @ran_at = Time.now
    end
  end

  class Runner
    def initialize(clock: Clock.new)
      @clock = clock
      @tasks = []
    end

    def every(name, **options, &block)
      task = Task.new(name, **options, &block)
      @tasks << task
      task
    end

    def tick
      now = @clock.now
      due = @tasks.select { |task| task.due?(now) }
      due.each do |task|
        puts "running #{task.name.tr('()', '')}"
        task.run
      end
      due.size
    end

    def report
      @tasks.sort_by { |task| [task.hour, task.minute] }.map do |task|
        format('%02d:%02d %s)', task.hour, task.minute, task.name)
      end.join("\n")
    end

    def kind(character)
      case character
      when ?(, ?) then :bracket
      when /[\]}]/
        :closer
      when 'a'..'z'
        :letter
      else
        :other
      end
    end
  end
end
