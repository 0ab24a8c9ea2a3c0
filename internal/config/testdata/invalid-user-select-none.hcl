callhome {
  user_select {
    command = []
  }
}

gateway {
  port = 830
}
