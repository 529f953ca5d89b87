import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileFailure } from './failure.js'

/**
 * Writes a file atomically: its name always refers to the complete old content or the complete new content. The bytes are
 * written to a temporary file in the same directory and synced to the disk; then that file is renamed.
 *
 * @param file the path; an existing file is replaced
 * @param previous a second path in the same directory that keeps the replaced file. One of the two paths refers to a
 * complete file at every moment, even if `file` was damaged before. By default the old file is not kept. It is not kept on
 * a file system without hard links either.
 * @throws the file system's error (`ENOENT`, `ENOSPC`, …); the temporary files are then removed and the old file is intact
 */
export async function atomicWrite(
  file: string,
  bytes: Uint8Array,
  previous: string | null = null,
): Promise<void> {
  const temporary = temporaryOf(file)
  const kept = previous === null ? null : temporaryOf(previous)
  try {
    await writeThrough(temporary, bytes)
    const keeps = kept !== null && (await linked(file, kept))
    await rename(temporary, file)
    // After the rename above: until then `previous` may be the only complete file.
    if (keeps) await rename(kept, previous!)
    await syncDirectory(dirname(file))
  } catch (error) {
    // Errors of the cleanup are ignored, so that the first error is reported.
    const left = [temporary, ...(kept === null ? [] : [kept])]
    await Promise.allSettled(left.map(name => rm(name, { force: true })))
    throw error
  }
}

/** `atomicWrite`, with errors that name the file. @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT. */
export async function writeWhole(
  file: string,
  bytes: Uint8Array,
  previous: string | null = null,
): Promise<void> {
  try {
    await atomicWrite(file, bytes, previous)
  } catch (error) {
    throw fileFailure(file, error)
  }
}

/** Creates a directory unless it exists. @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT naming it. */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true })
  } catch (error) {
    throw fileFailure(directory, error)
  }
}

/** Removes the temporary files that a killed process left in a directory. */
export async function removeTemporaries(directory: string): Promise<void> {
  const names = await readdir(directory)
  const left = names.filter(name => /\.[0-9a-f]{12}\.tmp$/.test(name))
  await Promise.all(left.map(name => rm(join(directory, name), { force: true })))
}

/** A unique name in the same directory. */
function temporaryOf(file: string): string {
  return `${file}.${randomBytes(6).toString('hex')}.tmp`
}

/** Writes a new file and syncs it to the disk. */
async function writeThrough(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx')
  try {
    await handle.writeFile(bytes)
    // Without the sync, a crash soon after the rename can leave an empty file under the new name.
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Whether the hard link was made. It is not if `file` does not exist or the file system has no hard links. */
async function linked(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name)
    return true
  } catch {
    return false
  }
}

/** Syncs a directory's names to the disk. Without it a power failure can undo a rename. */
async function syncDirectory(directory: string): Promise<void> {
  // Windows cannot open directories.
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
