// Imports the modules named on the command line one after the other, and prints as JSON what each of them logged.
import { pathToFileURL } from 'node:url'
import { format } from 'node:util'

const outputs = []
for (const file of process.argv.slice(2)) {
  const lines = []
  console.log = (...values) => lines.push(format(...values))
  try {
    await import(pathToFileURL(file).href)
  } catch (error) {
    lines.push(`${error?.stack ?? error}`)
  }
  outputs.push(lines.join('\n'))
}
process.stdout.write(JSON.stringify(outputs))
