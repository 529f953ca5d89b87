/**
 * A module for `node --import`: kills its process at the file system's call of number KILL_AT, from 0, and prints at the end
 * of one that lives which calls it made. A write counts twice: before it, and with half of its bytes written.
 */
export const killed = `
  import promises from 'node:fs/promises'
  import { syncBuiltinESMExports } from 'node:module'
  const at = Number(process.env.KILL_AT ?? 'NaN')
  const calls = []
  const count = name => {
    if (calls.length === at) process.kill(process.pid, 'SIGKILL')
    calls.push(name)
  }
  const probe = await promises.open(process.execPath)
  const handles = Object.getPrototypeOf(probe)
  await probe.close()
  for (const name of ['open', 'mkdir', 'readdir', 'appendFile', 'link', 'rename', 'rm']) {
    const original = promises[name]
    promises[name] = (...words) => {
      count(name)
      return original(...words)
    }
  }
  const { sync, writeFile } = handles
  handles.sync = function () {
    count('sync')
    return sync.call(this)
  }
  handles.writeFile = async function (bytes) {
    count('write')
    const half = bytes.length >> 1
    await writeFile.call(this, bytes.subarray(0, half))
    count('write')
    await writeFile.call(this, bytes.subarray(half))
  }
  syncBuiltinESMExports()
  process.on('exit', () => process.stdout.write(calls.join(' ')))
`
