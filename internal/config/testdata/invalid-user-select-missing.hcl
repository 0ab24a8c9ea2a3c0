callhome {
  user_select {
    command = ["hooks/none"]
  }
}

gateway {
  port = 830
}
