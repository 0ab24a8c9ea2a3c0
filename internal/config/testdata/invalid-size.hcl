gateway {
  port         = 830
  max_message  = "256MB"
  spool_budget = "1B"
}
