-- For wrk: post image files in turn to /predict, and print the totals as one line of JSON.
--   wrk ... -s post.lua http://127.0.0.1:PORT -- FILE FILE ...

local requests, turn = {}, 0

function init(files)
  for index, name in ipairs(files) do
    local file = assert(io.open(name, "rb"))
    local body = file:read("*a")
    file:close()
    requests[index] = wrk.format("POST", "/predict", {["Content-Type"] = "image/jpeg"}, body)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, '
      .. '"p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
