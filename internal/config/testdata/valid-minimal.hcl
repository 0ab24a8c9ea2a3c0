gateway {
  port = 830
}
