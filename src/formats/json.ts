import * as v from 'valibot'
import { badFile } from '../errors.js'

/** A number. JSON cannot represent NaN and infinities; `JSON.stringify` writes them as null, which is read as NaN. */
export const jsonNumber = v.pipe(
  v.nullable(v.number()),
  v.transform(value => value ?? Number.NaN),
)

/**
 * Parses the JSON text of a file, or of one line of it, and validates it against a schema.
 * @throws PackedRnnError ERR_FILE_FORMAT naming the file, the line if given, and the invalid field.
 */
export function parseJson<T>(
  schema: v.GenericSchema<unknown, T>,
  text: string,
  file: string,
  line: number | null = null,
): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw badFile(file, line, 'JSON', 'something else')
  }
  const { success, output, issues } = v.safeParse(schema, value)
  if (success) return output
  const [issue] = issues
  const path = v.getDotPath(issue)
  const place = path === null ? '' : ` in ${path}`
  throw badFile(file, line, `${issue.expected ?? issue.message}${place}`, issue.received)
}
