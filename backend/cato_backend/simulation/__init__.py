"""Virtual time: workloads, the scheduling core over engine models, scores, reports."""
