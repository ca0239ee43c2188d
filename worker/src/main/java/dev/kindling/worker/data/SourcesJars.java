package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Source code out of Maven sources jars, fetched once into a cache and checked against their pins.
 * One document a file, equal files once, licence headers removed.
 *
 * @param jars what to fetch; a jar of split {@code validation} is held out as a whole
 * @param validationFraction share of the files of the other jars held out, picked by content hash
 * @param maskDocuments attention and targets stay inside one document; positions restart there
 * @param cache folder of the fetched jars; default: {@code kindling/sources} in the user's cache
 */
public record SourcesJars(
    List<SourcesJar> jars, double validationFraction, boolean maskDocuments, Optional<String> cache)
    implements Source {
  public SourcesJars {
    jars = List.copyOf(jars);
    Expectation e = new Expectation();
    e.notEmpty("jars", jars, "at least one sources jar");
    HeldOut.check(e, List.of(), validationFraction);
    e.orThrow();
  }

  @Override
  public SourcesJars absolute() {
    return new SourcesJars(jars, validationFraction, maskDocuments, cache.map(DataSpec::absolute));
  }

  public static Map<String, Object> defaults() {
    return Map.of("validationFraction", 0.0, "maskDocuments", false);
  }
}
