[inputs | select(.statusCode >= 400) | .path = (.requestUrl | sub("[?#].*$"; "") | sub("^[a-z]+://[^/]*"; "")
  | split("/") | map(if test("^[0-9]+$|^(?=.*[0-9])[0-9a-fA-F]{8,}$") then "{id}" else . end) | join("/"))]
| group_by([.method, .path, .statusCode])
| map({requests: length, method: .[0].method, endpoint: .[0].path, statusCode: .[0].statusCode,
       firstSeen: (map(.timestamp) | min), lastSeen: (map(.timestamp) | max), clients: (map(.ipAddress) | unique | length)})
| sort_by(-.requests, .lastSeen)
