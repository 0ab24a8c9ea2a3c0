gateway {
  port         = 830
  max_message  = "2GiB"
  spool_budget = "1GiB"
}
