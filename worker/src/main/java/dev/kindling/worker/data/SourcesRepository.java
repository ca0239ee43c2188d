package dev.kindling.worker.data;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;

/**
 * Fetches pinned jars from a Maven repository into a folder; a jar that is there with the right
 * hash is not fetched again. {@code KINDLING_MAVEN_REPOSITORY} names another repository (a mirror;
 * {@code file:} works too).
 */
final class SourcesRepository {
  private static final String CENTRAL = "https://repo.maven.apache.org/maven2/";
  private static final int TRIES = 3;

  private final Path folder;
  private final String repository;
  private final HttpClient client =
      HttpClient.newBuilder()
          .followRedirects(HttpClient.Redirect.NORMAL)
          .connectTimeout(Duration.ofSeconds(20))
          .build();

  SourcesRepository(Path folder) {
    this(folder, repository());
  }

  SourcesRepository(Path folder, String repository) {
    this.folder = folder;
    this.repository = repository.endsWith("/") ? repository : repository + "/";
  }

  private static String repository() {
    String set = System.getProperty("kindling.maven.repository");
    if (set == null) {
      set = System.getenv("KINDLING_MAVEN_REPOSITORY");
    }
    return set == null || set.isEmpty() ? CENTRAL : set;
  }

  /**
   * The jar as a file of the folder.
   *
   * @throws DataException when it cannot be had, or is not the pinned one
   */
  Path fetch(SourcesJar jar) {
    Path file = folder.resolve(jar.fileName());
    try {
      if (Files.exists(file) && Sha256.of(file).equals(jar.sha256())) {
        return file;
      }
      Files.createDirectories(folder);
      Path partial = Files.createTempFile(folder, jar.fileName(), ".partial");
      try {
        download(jar, partial);
        String found = Sha256.of(partial);
        if (!found.equals(jar.sha256())) {
          throw new DataException(
              jar.coordinates() + ": expected SHA-256 " + jar.sha256() + ", found " + found);
        }
        Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(partial);
      }
      return file;
    } catch (IOException e) {
      throw new DataException(jar.coordinates() + ": cannot be fetched: " + e, e);
    }
  }

  private void download(SourcesJar jar, Path into) throws IOException {
    URI uri = URI.create(repository + jar.repositoryPath());
    if ("file".equals(uri.getScheme())) {
      Files.copy(Path.of(uri), into, StandardCopyOption.REPLACE_EXISTING);
      return;
    }
    for (int attempt = 1; ; attempt++) {
      try {
        get(uri, into);
        return;
      } catch (IOException e) {
        if (attempt == TRIES) {
          throw e;
        }
      }
    }
  }

  private void get(URI uri, Path into) throws IOException {
    HttpRequest request = HttpRequest.newBuilder(uri).timeout(Duration.ofMinutes(5)).build();
    try {
      HttpResponse<InputStream> response =
          client.send(request, HttpResponse.BodyHandlers.ofInputStream());
      try (InputStream body = response.body()) {
        if (response.statusCode() != 200) {
          throw new IOException(uri + " answered " + response.statusCode());
        }
        Files.copy(body, into, StandardCopyOption.REPLACE_EXISTING);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DataException(uri + ": interrupted while it was fetched", e);
    }
  }
}
