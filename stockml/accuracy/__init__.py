"""Accuracy tracker: due predictions in, outcomes and scores out; owner of feedback/."""
