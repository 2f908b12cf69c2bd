finstream_suites(test_server LINK finstream_server LABELS runtime SUITES
  server_frames:runtime/server_frames.cpp
  server_send_queue:runtime/server_send_queue.cpp
  server_http:runtime/server_http.cpp
  server_websocket:runtime/server_websocket.cpp
  server_closing:runtime/server_closing.cpp
  server_hostile:runtime/server_hostile.cpp)
