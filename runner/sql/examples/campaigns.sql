-- All campaigns
-- Which campaigns are there, how far are they, and what have they spent?
SELECT campaign, project, state, revision, enumerated, survivors, spent_core_hours, spent_usd, started_at, updated_at
FROM campaigns
WHERE started_at IS NOT NULL
  -- AND campaign = 'NAME'
ORDER BY updated_at DESC, campaign
