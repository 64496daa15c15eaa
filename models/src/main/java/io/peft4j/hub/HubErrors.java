package io.peft4j.hub;

import io.peft4j.hub.HubException.Reason;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpHeaders;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Turns an answer's status into a failure that says what to do. */
final class HubErrors {

    // "api";r=0;t=55: none left, the next in 55 seconds
    private static final Pattern RATE_LIMIT = Pattern.compile(";\\s*t\\s*=\\s*(\\d{1,9})");
    private static final Pattern SECONDS = Pattern.compile("\\d{1,9}");

    private HubErrors() {}

    static IOException of(
            HttpResponse<?> response,
            HubRepository repository,
            URI endpoint,
            boolean fromHub,
            boolean withToken) {
        int status = response.statusCode();
        String where = HubHttp.shown(response.uri()) + ": ";
        if (status == 408 || status == 429 || status >= 500) {
            return new TransientFailure(
                    status == 429 ? Reason.RATE_LIMITED : Reason.SERVER_ERROR,
                    where
                            + (status == 429 ? "too many requests" : "the server failed")
                            + code(status),
                    waitAtLeast(response.headers()));
        }
        if (status == 416) {
            return new HubException(
                    Reason.SIZE_MISMATCH,
                    where + "the file has fewer bytes than announced" + code(status));
        }
        if (!fromHub) {
            String message = where + "the storage refused" + code(status);
            return status == 404
                    ? new HubException(Reason.NO_FILE, message)
                    // the signature in its URL has run out: the hub gives another
                    : new TransientFailure(Reason.NO_FILE, message, Duration.ZERO);
        }
        String error = response.headers().firstValue("X-Error-Code").orElse("");
        String page = endpoint + "/" + repository.id();
        if (error.equals("GatedRepo")) {
            return new HubException(
                    Reason.GATED,
                    repository.id()
                            + ": access must be asked for on "
                            + page
                            + "; then give a token of the same account in HF_TOKEN"
                            + code(status));
        }
        if (status == 401 || status == 403) {
            return new HubException(
                    Reason.UNAUTHORIZED,
                    repository.id()
                            + (withToken
                                    ? ": the token may not read it, or there is no such repository;"
                                            + " check the name and the token's rights"
                                    : ": no directory here, and on the hub no such repository, or"
                                            + " a private or gated one; check the name, or give a"
                                            + " token in HF_TOKEN")
                            + code(status));
        }
        if (error.equals("RevisionNotFound")) {
            return new HubException(
                    Reason.NO_REVISION,
                    repository.id()
                            + ": no branch, tag or commit \""
                            + repository.revision()
                            + "\"; "
                            + page
                            + "/tree/main shows what there is");
        }
        if (error.equals("EntryNotFound")) {
            return new HubException(Reason.NO_FILE, where + "no such file" + code(status));
        }
        if (status == 404) {
            return new HubException(
                    Reason.NO_REPOSITORY,
                    repository
                            + ": no directory here, and "
                            + endpoint
                            + " has no such model; check the name");
        }
        return new HubException(Reason.PROTOCOL, where + "unexpected answer" + code(status));
    }

    private static String code(int status) {
        return " (HTTP " + status + ")";
    }

    private static Duration waitAtLeast(HttpHeaders headers) {
        String retryAfter = headers.firstValue("Retry-After").orElse("").strip();
        if (SECONDS.matcher(retryAfter).matches()) {
            return Duration.ofSeconds(Long.parseLong(retryAfter));
        }
        Matcher limit = RATE_LIMIT.matcher(headers.firstValue("RateLimit").orElse(""));
        return limit.find() ? Duration.ofSeconds(Long.parseLong(limit.group(1))) : Duration.ZERO;
    }
}
