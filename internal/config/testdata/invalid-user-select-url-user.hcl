callhome {
  user_select {
    url = "https://gateway:hunter2@inventory.example.net/"
  }
}

gateway {
  port = 830
}
