package harness;

import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.catalyst.analysis.AnalysisContext;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogManager;
import org.apache.spark.sql.connector.catalog.Identifier;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/** A name in one of our catalogs, as a statement means it. */
record Named(FolderCatalog catalog, Identifier name) {
  /** Return what a name means where it stands: in the session's catalog and schema, or in those of the view that it is in. */
  static Optional<Named> find(SparkSession session, Seq<String> parts) {
    CatalogManager manager = session.sessionState().catalogManager();
    List<String> given = CollectionConverters.asJava(parts);
    List<String> place = place(manager);
    return switch (given.size()) {
      case 1 -> place.size() == 2 ? in(manager, place.get(0), place.get(1), given.get(0)) : Optional.empty();
      case 2 -> in(manager, place.get(0), given.get(0), given.get(1));
      case 3 -> in(manager, given.get(0), given.get(1), given.get(2));
      default -> Optional.empty();
    };
  }

  /** Return what a name means that is known to be one of ours. */
  static Named of(SparkSession session, Seq<String> parts) {
    return find(session, parts).orElseThrow();
  }

  private static List<String> place(CatalogManager manager) {
    List<String> ofView = CollectionConverters.asJava(AnalysisContext.get().catalogAndNamespace());
    if (!ofView.isEmpty()) {
      return ofView;
    }
    String[] namespace = manager.currentNamespace();
    String catalog = manager.currentCatalog().name();
    return namespace.length == 1 ? List.of(catalog, namespace[0]) : List.of(catalog);
  }

  private static Optional<Named> in(CatalogManager manager, String catalog, String schema, String name) {
    if (!manager.isCatalogRegistered(catalog) || !(manager.catalog(catalog) instanceof FolderCatalog ours)) {
      return Optional.empty();
    }
    return Optional.of(new Named(ours, Identifier.of(new String[] {schema}, name)));
  }
}
