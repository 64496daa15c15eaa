package io.peft4j.hub;

import java.net.URI;

/**
 * What the hub says about a file before it is fetched.
 *
 * @param name its name in the repository
 * @param uri where to ask for it; leads on to where it is stored
 * @param etag the SHA-256 of a large file, git's SHA-1 of a small one; the blob's name in the cache
 * @param size its bytes
 */
record RemoteFile(String name, URI uri, String etag, long size) {}
