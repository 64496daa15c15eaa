package io.peft4j.hub;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.hub.HubException.Reason;
import io.peft4j.text.StrictJson;
import io.peft4j.text.StrictJsonException;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The hub's two questions: which files has a repository, and what is one of them. */
final class HubApi {

    /**
     * A repository at a revision.
     *
     * @param commit the commit that the revision means now
     * @param files the names of all its files
     */
    record Listing(String commit, List<String> files) {}

    private static final int MOST_LISTING_BYTES = 32_000_000;
    private static final int MOST_LISTING_DEPTH = 64;
    private static final Pattern COMMIT = Pattern.compile("[0-9A-Za-z]{7,64}");
    private static final Pattern ETAG = Pattern.compile("[0-9A-Za-z][0-9A-Za-z._-]{0,127}");
    private static final Pattern QUOTED = Pattern.compile("(?:W/)?\"?([^\"]*)\"?");
    private static final Pattern CONTENT_RANGE_TOTAL = Pattern.compile("bytes .*/(\\d{1,18})");

    private final HubHttp http;
    private final HubRepository repository;

    HubApi(HubHttp http, HubRepository repository) {
        this.http = http;
        this.repository = repository;
    }

    Listing list() throws IOException {
        URI uri =
                URI.create(
                        http.endpoint()
                                + "/api/models/"
                                + repository.id()
                                + "/revision/"
                                + encoded(repository.revision()));
        JsonElement root;
        HttpResponse<ResponseBody> response = http.get(uri, Map.of());
        try (ResponseBody body = response.body()) {
            root =
                    StrictJson.parse(
                            body.readAll(MOST_LISTING_BYTES),
                            HubHttp.shown(uri),
                            MOST_LISTING_DEPTH);
        } catch (StrictJsonException e) {
            throw new HubException(Reason.PROTOCOL, e.getMessage(), e);
        }
        if (!(root instanceof JsonObject object
                && object.get("sha") instanceof JsonPrimitive sha
                && COMMIT.matcher(sha.getAsString()).matches()
                && object.get("siblings") instanceof JsonArray siblings)) {
            throw protocol(
                    uri, "expected a model's \"sha\" and \"siblings\", found another answer");
        }
        List<String> files = new ArrayList<>();
        for (JsonElement sibling : siblings) {
            if (!(sibling instanceof JsonObject file
                    && file.get("rfilename") instanceof JsonPrimitive name)) {
                throw protocol(uri, "expected a \"rfilename\" in each of \"siblings\"");
            }
            files.add(name.getAsString());
        }
        return new Listing(sha.getAsString(), files);
    }

    /**
     * Asks for a file's hash and size.
     *
     * <p>The hub answers for large files with a redirect to their storage, and tells hash and size
     * in headers of the redirect. The storage itself is not asked: its URL is signed for GET only.
     */
    RemoteFile describe(String commit, String name) throws IOException {
        URI uri =
                URI.create(
                        http.endpoint()
                                + "/"
                                + repository.id()
                                + "/resolve/"
                                + encoded(commit)
                                + "/"
                                + encoded(name));
        String etag = null;
        OptionalLong size = OptionalLong.empty();
        URI at = uri;
        for (int hop = 0; ; hop++) {
            if (hop > 10) {
                throw HubHttp.tooManyRedirects(uri);
            }
            HttpResponse<ResponseBody> response = http.exchange("HEAD", at, Map.of());
            response.body().close();
            requireCommit(response, commit, at);
            if (etag == null) {
                etag = response.headers().firstValue("X-Linked-Etag").orElse(null);
            }
            if (size.isEmpty()) {
                size = number(response, "X-Linked-Size");
            }
            boolean redirect = HubHttp.isRedirect(response);
            URI target = redirect ? HubHttp.target(at, response) : at;
            if (redirect && http.isEndpoint(target)) {
                at = target;
                continue;
            }
            if (etag == null) {
                etag = response.headers().firstValue("ETag").orElse(null);
            }
            if (size.isEmpty() && !redirect) {
                size = number(response, "Content-Length");
            }
            break;
        }
        return new RemoteFile(
                name,
                uri,
                checkedEtag(etag, uri),
                size.isPresent() ? size.getAsLong() : sizeOf(uri));
    }

    private static void requireCommit(HttpResponse<?> response, String commit, URI uri)
            throws HubException {
        String found = response.headers().firstValue("X-Repo-Commit").orElse(commit);
        if (!found.equals(commit)) {
            throw protocol(uri, "expected a file of commit " + commit + ", found one of " + found);
        }
    }

    private static String checkedEtag(@Nullable String etag, URI uri) throws HubException {
        if (etag == null) {
            throw protocol(
                    uri,
                    "expected an X-Linked-Etag or ETag, found none; is HF_ENDPOINT a hub, and is"
                            + " no proxy in between?");
        }
        var quoted = QUOTED.matcher(etag.strip());
        String name = quoted.matches() ? quoted.group(1) : "";
        if (!ETAG.matcher(name).matches()) {
            throw protocol(uri, "expected a hash as ETag, found " + etag);
        }
        return name;
    }

    /** Asks for a single byte to learn the size that a HEAD did not tell. */
    private long sizeOf(URI uri) throws IOException {
        HttpResponse<ResponseBody> response = http.get(uri, Map.of("Range", "bytes=0-0"));
        response.body().close();
        OptionalLong size =
                response.statusCode() == 206 ? total(response) : number(response, "Content-Length");
        return size.orElseThrow(
                () -> protocol(uri, "expected the file's size, found no answer that tells it"));
    }

    /** The size of the whole file in the answer to a request for a range. */
    static OptionalLong total(HttpResponse<?> response) {
        var range =
                CONTENT_RANGE_TOTAL.matcher(
                        response.headers().firstValue("Content-Range").orElse(""));
        return range.matches()
                ? OptionalLong.of(Long.parseLong(range.group(1)))
                : OptionalLong.empty();
    }

    static OptionalLong number(HttpResponse<?> response, String header) {
        try {
            return response.headers().firstValueAsLong(header);
        } catch (NumberFormatException e) {
            return OptionalLong.empty();
        }
    }

    private static String encoded(String segment) {
        return URLEncoder.encode(segment, StandardCharsets.UTF_8).replace("+", "%20");
    }

    private static HubException protocol(URI uri, String detail) {
        return new HubException(Reason.PROTOCOL, HubHttp.shown(uri) + ": " + detail);
    }
}
