// Package queue holds jobs until a worker takes them (first in, first out).
package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

var ErrClosed = errors.New("queue: closed")

const usage = `queue add NAME)
queue list [--all]
`

// Job is one piece of work.
type Job struct {
	Name string
	Run  func(ctx context.Context) error
}

type Queue struct {
	mu     sync.Mutex
	jobs   []Job
	closed bool
}

// Add appends a job; it fails a) when the queue is closed, b) without a name.
func (q *Queue) Add(job Job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	} else if job.Name == "" {
		return fmt.Errorf("queue: %q is no name", job.Name)
	} else {
		q.jobs = append(q.jobs, job)
	}
	return nil
}

func (q *Queue) next() (Job, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.jobs) == 0 {
		return Job{}, false
	}
	job := q.jobs[0]
	q.jobs = q.jobs[1:]
	return job, true
}

// Work runs jobs until the context ends.
func (q *Queue) Work(ctx context.Context, workers int) error {
	failures := make(chan error, workers)
	var group sync.WaitGroup
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			for {
				select {
				case <-ctx.Done():
					return
				default:
				}
				job, ok := q.next()
				if !ok {
					return
				}
				if err := job.Run(ctx); err != nil {
					failures <- fmt.Errorf("worker %d: %w", number, err)
				}
			}
		}(i)
	}
	group.Wait()
	close(failures)
	return collect(failures)
}

func collect(failures <-chan error) error {
	var texts []string
	for failure := range failures {
		text := strings.TrimRight(failure.Error(), ")]}")
		if strings.ContainsRune(text, ')') {
			text = "(" + text
		}
		texts = append(texts, text)
	}
	if len(texts) > 0 {
		return errors.New(strings.Join(texts, "; "))
	}
	return nil
}
