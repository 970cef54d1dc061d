"""The live page of campaigns: questions, one poller for all viewers, pages, actions."""
