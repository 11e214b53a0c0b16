// Bases of Krylov subspaces: orthonormal, and what the operator is within them, whatever the operator.
#include <doctest/doctest.h>

#include <hessorbit/krylov.hpp>

#include <vector>

using namespace hessorbit;

namespace {

// All vectors of a basis, (n, m).
Matrix<double> vectors(const KrylovBasis& basis) {
    const Matrix<double> unit = Matrix<double>::Identity(basis.dimensions(), basis.dimensions());
    Matrix<double> result(basis.size(), basis.dimensions());
    basis.combine_vectors(unit.data(), unit.cols(), result.data());
    return result;
}

Matrix<double> start(Index n) {
    Matrix<double> result(n, column_block);
    for (Index k = 0; k < result.size(); ++k) result.data()[k] = static_cast<double>((k * k + 3 * k) % 17) - 8;
    return result;
}

}  // namespace

TEST_CASE("an orthonormal basis, whatever the operator and the number of threads") {
    for (const Index n : {8, 9, 33, 100, 700})
        for (const int kind : {0, 1, 2, 3}) {
            Matrix<double> matrix = Matrix<double>::Zero(n, n);
            if (kind == 1) matrix.setIdentity();
            if (kind == 2) matrix.diagonal().setLinSpaced(-1, 2);
            if (kind == 3) matrix.setOnes();
            const Index most = std::max<Index>(n / column_block - 1, 1);
            const Matrix<double> first = start(n);
            KrylovBasis alone(first.data(), n, most, 1), shared(first.data(), n, most, 2);
            for (const Index blocks : {1, 2, 5}) {
                alone.advance(blocks, matrix.data()), shared.advance(blocks, matrix.data());
                CHECK(alone.dimensions() == shared.dimensions());
                const Index m = alone.dimensions();
                const Matrix<double> q = vectors(alone);
                CHECK(q == vectors(shared));
                CHECK(alone.projected() == shared.projected());
                // Gram–Schmidt twice leaves some eps √n, sums of n products err by n eps at most.
                CHECK((q.transpose() * q - Matrix<double>::Identity(m, m)).cwiseAbs().maxCoeff() <= 1e-13);
                const Matrix<double> inside = q.transpose() * matrix * q;
                const Matrix<double> upper = (inside - alone.projected().topLeftCorner(m, m)).triangularView<Eigen::Upper>();
                CHECK(upper.cwiseAbs().maxCoeff() <= 1e-13 * (1 + matrix.norm()));
            }
        }
}

TEST_CASE("a basis by an inverse is that of the inverse") {
    constexpr Index n = 120;
    Matrix<double> matrix = Matrix<double>::Zero(n, n), inverse = matrix;
    matrix.diagonal().setLinSpaced(-2, 3);
    matrix.diagonal().array() += 0.01;  // none is 0
    inverse.diagonal() = matrix.diagonal().cwiseInverse();
    const Ldlt factor(matrix.data(), n, 0.0, 1);
    const Matrix<double> first = start(n);
    KrylovBasis one(first.data(), n, 3, 1), other(first.data(), n, 3, 1);
    one.advance(3, factor), other.advance(3, inverse.data());
    CHECK((vectors(one) - vectors(other)).cwiseAbs().maxCoeff() <= 1e-9);
}
